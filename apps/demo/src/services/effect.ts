import { type PgTransaction, pgFailure } from '@evt/pg'

export type EffectKind = 'payment' | 'reservation' | 'cancellation' | 'shipment'

/** Writes down, in the handler's transaction, that something was done for an order. */
export async function recordEffect(transaction: PgTransaction, kind: EffectKind, orderId: string): Promise<void> {
  try {
    await transaction.query('insert into demo.effects (kind, order_id) values ($1, $2)', [kind, orderId])
  } catch (error) {
    // A database that went away is no failure of the order.
    throw pgFailure(error, { operation: 'Recording an effect', relation: 'demo.effects' })
  }
}
