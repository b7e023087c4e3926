// The certificate of servers of https, which the clients in this process and in Chromium trust.
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";

// certificate has the files of the certificate and of its key, and spki, by which Chromium knows it. Node takes what it trusts from its environment when it starts, so `npm test` makes
// the files (lib/make-certificate.mjs) and names them there.
export function certificate() {
  const cert = process.env.NODE_EXTRA_CA_CERTS;
  if (!cert) throw new Error("tests over https want NODE_EXTRA_CA_CERTS=out/certificate/cert.pem, made by lib/make-certificate.mjs: run npm test");
  const { publicKey } = new X509Certificate(readFileSync(cert));
  const spki = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");
  return { cert, key: path.join(path.dirname(cert), "key.pem"), spki };
}
