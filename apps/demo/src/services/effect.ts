import type { PgTransaction } from '@evt/pg'

/** Writes down, in the handler's transaction, that something was done for an order. */
export async function recordEffect(transaction: PgTransaction, kind: string, orderId: string): Promise<void> {
  await transaction.query('insert into demo.effects (kind, order_id) values ($1, $2)', [kind, orderId])
}
