import type { Settlement, TransportDelivery } from '@evt/core'
import { arrayLiteral, encodeText } from '@evt/pg'

/** What a settlement needs to name its message: the lease is the fencing token. */
export interface Receipt {
  readonly lease: string
  readonly message: string
}

/** The columns of leases and messages. */
export function receiptColumns(
  batch: readonly { readonly delivery: TransportDelivery }[],
): [leases: string, messages: string] {
  const receipts = batch.map(({ delivery }) => delivery.receipt as Receipt)
  return [
    `{${receipts.map((receipt) => receipt.lease).join(',')}}`,
    `{${receipts.map((receipt) => receipt.message).join(',')}}`,
  ]
}

/** Settlements as the columns that the settle function takes. */
export function settlementColumns(batch: readonly Settlement[]): readonly string[] {
  const column = (value: (settlement: Settlement) => string | number | null) =>
    `{${batch.map((settlement) => value(settlement) ?? 'NULL').join(',')}}`
  const text = (value: (settlement: Settlement & { as: 'deadLetter' }) => string) =>
    arrayLiteral(batch.map((settlement) => (settlement.as === 'deadLetter' ? value(settlement) : null)))
  return [
    ...receiptColumns(batch),
    column((settlement) => settlement.as),
    column((settlement) => ('attempt' in settlement ? settlement.attempt : null)),
    column((settlement) => (settlement.as === 'retry' ? settlement.afterMs : null)),
    text((settlement) => encodeText(settlement.reason)),
    text((settlement) => JSON.stringify(settlement.history)),
  ]
}
