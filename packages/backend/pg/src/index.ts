export { runOutside } from './ambient.ts'
export { arrayLiteral } from './array-literal.ts'
export { attemptPart, type PartOutcome } from './attempt-part.ts'
export { CommitBuffer, type CommitBufferUse } from './commit-buffer.ts'
export { withConnection } from './connection.ts'
export { type DatabaseScope, knownScope, scopeOf } from './database-scope.ts'
export { isConnectionFailure, sqlState } from './errors.ts'
export { quotedIdentifier, quotedTable } from './identifier.ts'
export { type MigrateOptions, migrate } from './migrate.ts'
export { type Migration, readMigrations } from './migration-files.ts'
export { type PgOperation, pgFailure } from './pg-failure.ts'
export type { PgAnswer, PgConnection, PgExecutor, PgPoolLike, PgQueryable } from './pg-pool.ts'
export {
  isPgTransaction,
  type LastStatement,
  type PgQuery,
  type PgResult,
  type PgTransaction,
} from './pg-transaction.ts'
export {
  type PgForeignTransaction,
  type PgTransactions,
  type PgTransactionsOptions,
  pgTransactions,
} from './pg-transactions.ts'
export { type PgListenPool, type PgWake, type PgWakeOptions, pgWake } from './pg-wake.ts'
export { plainLiteral } from './plain-literal.ts'
export { runStatement } from './run-statement.ts'
export { decodeText, encodeText } from './storable-text.ts'
