package hubrt

import "encoding/base64"

// ID is the public connection id: 16 random bytes, base64url without padding on the wire, so 22 characters (wire contract, section 2.2).
type ID [16]byte

// Strict, so that no two texts name one connection.
var idText = base64.RawURLEncoding.Strict()

func (id ID) String() string { return idText.EncodeToString(id[:]) }

// ParseID reads what String writes; ok is false for anything else.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != idText.EncodedLen(len(id)) {
		return ID{}, false
	}
	n, err := idText.Decode(id[:], []byte(s))
	if err != nil || n != len(id) {
		return ID{}, false
	}
	return id, true
}
