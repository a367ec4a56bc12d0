/**
 * A mover as a process of its own, for tests that kill one: cuts over, tells every step on stdout, stands still for ever at the one
 * it is given, and asks its parent for the flip. Arguments: JSON of `MoverJob`.
 */
import { createInterface } from 'node:readline';
import pg from 'pg';
import { cutOver } from '../../../adapters/replication/cut-over.ts';
import type { Conninfo, MoveSide } from '../../../adapters/replication/side.ts';
import type { Move } from '../../../domain/move.ts';

export interface MoverJob {
  readonly move: Move;
  readonly source: { readonly owner: Conninfo; readonly conninfo: Conninfo };
  readonly target: { readonly owner: Conninfo; readonly conninfo: Conninfo };
  readonly stopAt: string;
  readonly deadlineMs: number;
}

const job = JSON.parse(process.argv[2] ?? '') as MoverJob;

const sideOf = ({ owner, conninfo }: MoverJob['source']): MoveSide => ({
  conninfo,
  connect: async () => {
    const { host, port, database, username, password } = owner;
    const client = new pg.Client({ host, port, database, user: username, password });
    await client.connect();
    return client;
  },
});

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (line: string): void => void process.stdout.write(`${line}\n`);

await cutOver({
  move: job.move,
  source: sideOf(job.source),
  target: sideOf(job.target),
  deadlineMs: job.deadlineMs,
  flip: async () => {
    tell('flip');
    await answers.next();
  },
  onStep: async (step) => {
    tell(step);
    if (step === job.stopAt) await new Promise(() => setInterval(() => undefined, 1_000));
  },
});
