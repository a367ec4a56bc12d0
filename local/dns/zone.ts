import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** Records by name and type. */
const zone = z.record(
  z.string(),
  z.strictObject({
    A: z.array(z.ipv4()).optional(),
    AAAA: z.array(z.ipv6()).optional(),
    CNAME: z.array(z.hostname()).length(1).optional(),
    // One character string holds 255 bytes (RFC 1035 section 3.3).
    TXT: z.array(z.string().max(255)).optional(),
  }),
);

export type Zone = z.infer<typeof zone>;

/** Types of records that the laptop's DNS has. */
export const recordTypes = ['A', 'AAAA', 'CNAME', 'TXT'] as const;
export type RecordType = (typeof recordTypes)[number];

/** Where the cloud of a data directory looks for its zone. */
export const zoneFile = (home: string): string => join(home, 'dns.json');

/** What the zone file says; nothing without one. Throws with its path when it is no zone. */
export const readZone = (file: string): Zone => {
  if (!existsSync(file)) return {};
  const read = (): unknown => {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      return error;
    }
  };
  const parsed = zone.safeParse(read());
  if (parsed.success) return parsed.data;
  throw new Error(
    `${file} is no zone: ${z.prettifyError(parsed.error)}; write {"chat.acme.com": {"A": ["93.184.216.34"]}}`,
  );
};

/** Writes the whole zone; the next question is answered out of it. Throws, and writes nothing, when a record has no sense. */
export const writeZone = (file: string, records: Zone): void => {
  const checked = zone.safeParse(records);
  if (!checked.success) throw new Error(`not a record of DNS: ${z.prettifyError(checked.error)}`);
  writeFileSync(`${file}.draft`, `${JSON.stringify(checked.data, null, 2)}\n`);
  renameSync(`${file}.draft`, file);
};
