import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Certificate {
  /** PEM */
  readonly key: string;
  readonly certificate: string;
}

const lifetime = 5 * 365 * 86_400_000;
const renewedBefore = 30 * 86_400_000;

/** Signs itself and names the loopback host: clients that trust it as their authority accept it as the server's. */
const create = async (now: number): Promise<Certificate> => {
  const made = await generate([{ name: 'commonName', value: 'tenantry-kubernetes' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - 3_600_000),
    notAfterDate: new Date(now + lifetime),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key: made.private, certificate: made.cert };
};

const isFresh = ({ certificate }: Certificate, now: number): boolean =>
  new X509Certificate(certificate).validToDate.getTime() - now > renewedBefore;

/** The certificate of the directory; made at the first start, and anew a month before it ends. Mode 0600. */
export const openCertificate = async (directory: string, now: number = Date.now()): Promise<Certificate> => {
  const file = join(directory, 'certificate.json');
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Certificate;
    if (isFresh(kept, now)) return kept;
  }
  const made = await create(now);
  mkdirSync(directory, { recursive: true });
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify(made), { mode: 0o600 });
  renameSync(draft, file);
  return made;
};
