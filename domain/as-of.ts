import { StepFailure } from './errors.ts';

const instant =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * `asOf` as a UTC instant. A time without zone is UTC (the answer echoes it), a day alone its first moment.
 * Throws InvalidStepInput for anything else, days that do not exist (2026-02-30) and times after `now`.
 */
export const parseAsOf = (asOf: string, now: Date): Date => {
  const refuse = (why: string): never => {
    throw new StepFailure(
      'InvalidStepInput',
      `asOf ${JSON.stringify(asOf)} ${why}; write a time with its zone such as 2026-11-21T10:05:00Z or 2026-11-21T11:05:00+01:00`,
    );
  };
  const match = instant.exec(asOf.trim()) ?? refuse('is not a time');
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match;
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}`;
  const utc = new Date(`${local}Z`);
  // Date rolls 30 February over into March: what comes back must be what was written.
  if (Number.isNaN(utc.getTime()) || !utc.toISOString().startsWith(local)) return refuse('does not exist');
  const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  const minutes = offset ? (offset[1] === '-' ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) : 0;
  const at = new Date(utc.getTime() - minutes * 60_000);
  if (at > now) return refuse(`is after now (${now.toISOString()})`);
  return at;
};
