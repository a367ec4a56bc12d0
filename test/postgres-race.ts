import type pg from 'pg';

/**
 * What happens to `later` when another session gives `order` in a transaction that it commits as soon as `later` waits for it:
 * two attempts at once, in the one order of their steps that matters.
 */
export const overtaken = async <Result>(
  first: pg.Client,
  order: string,
  later: () => Promise<Result>,
): Promise<PromiseSettledResult<Result>> => {
  await first.query('BEGIN');
  await first.query(order);
  const settled = Promise.allSettled([later()]);
  for (let waits = false; !waits; )
    waits =
      (await first.query('SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))'))
        .rowCount === 1;
  await first.query('COMMIT');
  return (await settled)[0];
};
