// A certificate authority of our own, as a team makes one for its tests.
import forge from 'node-forge';

const DAY_MS = 86_400_000;

/** An authority, and a certificate of it for these names. All of it PEM. */
export function makeAuthority(names) {
  const authority = certify([{ name: 'commonName', value: 'compat suite' }], [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, critical: true },
  ]);
  const DNS = 2; // the type of a name in subjectAltName
  const server = certify(
    [{ name: 'commonName', value: names[0] }],
    [{ name: 'subjectAltName', altNames: names.map((value) => ({ type: DNS, value })) }],
    authority,
  );
  return {
    ca: forge.pki.certificateToPem(authority.certificate),
    certificate: forge.pki.certificateToPem(server.certificate),
    key: forge.pki.privateKeyToPem(server.keys.privateKey),
  };
}

/** A key and its certificate, issued by `issuer` or by itself. */
function certify(subject, extensions, issuer) {
  const keys = forge.pki.rsa.generateKeyPair(2048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(8))}`;
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS);
  certificate.validity.notAfter = new Date(Date.now() + DAY_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer ? issuer.certificate.subject.attributes : subject);
  certificate.setExtensions(extensions);
  certificate.sign((issuer ?? { keys }).keys.privateKey, forge.md.sha256.create());
  return { keys, certificate };
}
