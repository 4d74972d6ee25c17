import { crashPoint, type RelayTarget } from '@evt/core'
import type { OutboxRow } from './outbox-store.ts'

/** Why a row was not accepted. `failed` means try again: it was not accepted, or nobody knows. */
export interface Problem {
  readonly status: 'refused' | 'failed'
  readonly error: unknown
}
/** All other rows were accepted. */
export type Problems = ReadonlyMap<OutboxRow, Problem>

/** One call of a transport, and which rows it did not accept. Never rejects. A row that cannot be read counts as refused. */
export async function publishRows(
  { target, transport }: { readonly target: RelayTarget; readonly transport: string },
  rows: readonly OutboxRow[],
): Promise<Problems> {
  const problems = new Map<OutboxRow, Problem>()
  const readable: OutboxRow[] = []
  for (const row of rows) {
    if (row.message !== undefined) readable.push(row)
    else problems.set(row, { status: 'refused', error: new Error(row.unreadable ?? 'unreadable row') })
  }
  if (readable.length === 0) return problems
  try {
    const batch = readable.map((row) => row.message!)
    for (const { index, outcome, error } of await target.publish(transport, batch)) {
      problems.set(readable[index]!, { status: outcome === 'refused' ? 'refused' : 'failed', error })
    }
  } catch (error) {
    for (const row of readable) problems.set(row, { status: 'failed', error })
  }
  if (problems.size < rows.length) crashPoint('outbox.published')
  return problems
}
