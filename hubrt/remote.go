package hubrt

import "net/netip"

// address is a netip.AddrPort in 20 bytes instead of 32: one without an IPv6 zone.
type address struct {
	ip   [16]byte
	port uint16
	bits uint8 // of ip; 0: no address
}

// packAddress reports whether a fits.
func packAddress(a netip.AddrPort) (p address, ok bool) {
	ip := a.Addr()
	if ip.Zone() != "" {
		return address{}, false
	}
	return address{ip: ip.As16(), port: a.Port(), bits: uint8(ip.BitLen())}, true
}

func (p *address) unpack() netip.AddrPort {
	switch p.bits {
	case 0:
		return netip.AddrPortFrom(netip.Addr{}, p.port)
	case 32:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p.ip[12:])), p.port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(p.ip), p.port)
}
