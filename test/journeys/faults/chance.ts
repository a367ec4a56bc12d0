import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** Of this file's run; with the same one everything goes wrong at the same places again. */
const seed = process.env.TENANTRY_SEED ?? String(Date.now() % 1_000_000);
console.log(`faults strike by seed ${seed}; with TENANTRY_SEED=${seed} they strike at the same places again`);

/** A number from 0 up to 1: for one seed always the same of one subject. */
export const chanceOf = (subject: string): number =>
  createHash('sha256').update(`${seed} ${subject}`).digest().readUInt32BE(0) / 2 ** 32;

/**
 * Delivers twice: the second time 0 to 900 ms after the first, half of them within 30. Where one delivery overtakes the other
 * differs from run to run, and with it what each of them finds.
 */
export const deliverTwice = <Answer>(subject: string, deliver: () => Promise<Answer>): Promise<[Answer, Answer]> =>
  Promise.all([deliver(), delay(900 ** chanceOf(subject) - 1).then(deliver)]);
