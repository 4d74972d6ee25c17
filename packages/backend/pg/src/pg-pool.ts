/** What a statement answered. `command` and `rowCount` as pg gives them. */
export interface PgAnswer {
  readonly rows: readonly unknown[]
  readonly rowCount?: number | null | undefined
  readonly command?: string | undefined
}

/** What the last of several statements answered: pg gives a list where one text holds several. */
export function lastAnswer(answer: PgAnswer | readonly PgAnswer[]): PgAnswer {
  return Array.isArray(answer) ? (answer as readonly PgAnswer[]).at(-1)! : (answer as PgAnswer)
}

/** Anything that runs statements with `$1` parameters: a pg client, or a wrapper of one. */
export interface PgQueryable {
  query(sql: string, values?: unknown[]): Promise<PgAnswer>
}

/** A connection taken from a pool: the structural subset of pg's `PoolClient`. */
export interface PgConnection extends PgQueryable {
  /** Gives the connection back; with an error, destroys it. */
  release(error?: Error | boolean): void
  on?(event: 'error', listener: (error: Error) => void): unknown
  removeListener?(event: 'error', listener: (error: Error) => void): unknown
}

/** The structural subset of pg's `Pool`. Whoever creates it closes it. */
export interface PgPoolLike {
  connect(): Promise<PgConnection>
}

/** Runs a statement with `$1` parameters, all of them strings, in a transaction of Prisma, Drizzle, Knex and the like. */
export type PgExecutor = (sql: string, values: unknown[]) => Promise<{ readonly rows: readonly unknown[] }>
