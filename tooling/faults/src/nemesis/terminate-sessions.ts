import type pg from 'pg'

/** Ends a random share of the programs' sessions of this database; answers how many. */
export async function terminateSessions(pool: pg.Pool, share: number): Promise<number> {
  const { rowCount } = await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name <> 'harness' and random() < $1`,
    [share],
  )
  return rowCount ?? 0
}
