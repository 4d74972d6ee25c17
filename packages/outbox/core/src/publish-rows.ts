import { crashPoint, type RelayTarget } from '@evt/core'
import type { OutboxRow } from './outbox-store.ts'

/** What became of a row. `failed` means try again: it was not accepted, or nobody knows. */
export type Verdict =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly error: unknown }
  | { readonly status: 'failed'; readonly error: unknown }

const accepted: Verdict = Object.freeze({ status: 'accepted' })

/** One call of a transport; one verdict per row, in order. Never rejects. A row that cannot be read counts as refused. */
export async function publishRows(
  { target, transport }: { readonly target: RelayTarget; readonly transport: string },
  rows: readonly OutboxRow[],
): Promise<readonly Verdict[]> {
  const readable = rows.filter((row) => row.message !== undefined)
  const verdicts = new Map<OutboxRow, Verdict>()
  if (readable.length > 0) {
    try {
      const batch = readable.map((row) => row.message!)
      for (const { index, outcome, error } of await target.publish(transport, batch)) {
        verdicts.set(readable[index]!, { status: outcome === 'refused' ? 'refused' : 'failed', error })
      }
    } catch (error) {
      for (const row of readable) verdicts.set(row, { status: 'failed', error })
    }
    if (verdicts.size < readable.length) crashPoint('outbox.published')
  }
  return rows.map((row) => {
    if (row.message === undefined) return { status: 'refused', error: new Error(row.unreadable ?? 'unreadable row') }
    return verdicts.get(row) ?? accepted
  })
}
