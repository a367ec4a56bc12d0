import { createSocket } from 'node:dgram';
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, type Question } from 'dns-packet';
import { type RecordType, readZone, recordTypes, type Zone } from './dns/zone.ts';

const secondsToLive = 1;

const answersOf = (records: Zone, name: string, type: RecordType): Answer[] => {
  const entry = records[name];
  const alias = entry?.CNAME?.[0];
  if (alias !== undefined && type !== 'CNAME')
    return [
      { type: 'CNAME', name, ttl: secondsToLive, data: alias },
      ...(alias === name ? [] : answersOf({ ...records, [name]: {} }, alias.toLowerCase(), type)),
    ];
  return (entry?.[type] ?? []).map((data) => ({ type, name, ttl: secondsToLive, data }) as Answer);
};

const respond = (file: string, query: Packet): Packet => {
  const question = query.questions?.[0] as Question | undefined;
  const base = { id: query.id!, type: 'response' as const, questions: query.questions ?? [] };
  const code = (rcode: number): number => AUTHORITATIVE_ANSWER | rcode;
  try {
    const records = readZone(file);
    const name = question?.name.toLowerCase() ?? '';
    const type = recordTypes.find((known) => known === question?.type);
    const answers = type ? answersOf(records, name, type) : [];
    // A name that has other records answers with none (RFC 2308 section 2.2), one that has no record at all does not exist.
    return { ...base, flags: code(name in records ? 0 : 3), answers };
  } catch {
    // Zone unreadable: SERVFAIL, as from a server that could not load it.
    return { ...base, flags: code(2), answers: [] };
  }
};

export interface Dns {
  /** `127.0.0.1:PORT`, over UDP. */
  readonly address: string;
  close(): Promise<void>;
}

/** The laptop's DNS: what customers would write at their registrar is in one JSON file, read at every question. */
export const startDns = async (file: string): Promise<Dns> => {
  const socket = createSocket('udp4');
  socket.on('message', (message, sender) => {
    let query: Packet;
    try {
      query = decode(message);
    } catch {
      return;
    }
    socket.send(encode(respond(file, query)), sender.port, sender.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      socket.off('error', reject);
      resolve();
    });
  });
  return {
    address: `127.0.0.1:${socket.address().port}`,
    close: () =>
      new Promise((resolve) => {
        socket.close(() => resolve());
      }),
  };
};
