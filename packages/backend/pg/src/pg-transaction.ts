export interface PgResult<Row> {
  readonly rows: Row[]
  readonly rowCount: number
}
export type PgQuery = <Row>(sql: string, values?: readonly unknown[]) => Promise<PgResult<Row>>

/** A statement without parameters. */
export interface LastStatement {
  readonly sql: string
  /** What its failure is reported as. */
  failed(error: unknown): unknown
}

/** A transaction under way. Closed by commit and rollback: using it afterwards is `EVT_TX_CLOSED`. */
export interface PgTransaction {
  /**
   * Runs one statement. Errors of the server are passed on as they are. The first shares a round trip with BEGIN where it has
   * no parameters.
   */
  query<Row>(sql: string, values?: readonly unknown[]): Promise<PgResult<Row>>
  /** The database's identity: system identifier and oid. */
  readonly scope: string
  /**
   * Runs right before COMMIT, after all other work. False where somebody else commits: then do it at once. It may return a
   * statement that is to share a round trip with COMMIT.
   */
  beforeCommit(hook: (query: PgQuery) => Promise<LastStatement | undefined>): boolean
  /** Runs after COMMIT, outside the transaction; must not throw. False where somebody else commits: then it never runs. */
  afterCommit(hook: () => void): boolean
  readonly [control]: TransactionControl
}

// A registered symbol, so that two installed copies of this package recognise each other's transactions.
export const control: unique symbol = Symbol.for('evt.pg.transaction') as never

/** What nested runs and buffers need of a transaction they join. */
export interface TransactionControl {
  readonly isOpen: boolean
  /** Whether it commits here, so that there is a moment before. */
  readonly isOwned: boolean
  /** Of how many others it is a part; and whether the savepoint of its own parts is set, with nothing done since. */
  readonly depth: number
  isSavepointSet: boolean
  /** Counts a nested run in. The function returned counts it out; a failure dooms the transaction. */
  enter(): (failure?: { readonly error: unknown }) => void
  /** The present moment, for `isUndone`. */
  readonly mark: () => number
  /** Whether a rollback to a savepoint has taken back what was done at that moment. */
  readonly isUndone: (mark: number) => boolean
  /** The first failed statement. A part that is taken back puts an earlier one in its place. */
  failure: { readonly error: unknown } | undefined
}

export function isPgTransaction(value: unknown): value is PgTransaction {
  return typeof value === 'object' && value !== null && control in value
}
