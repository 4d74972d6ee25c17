import type { DeadLetterEntry, DeadLetters } from '@evt/core'

/** Which dead letters; everything given must match. */
export interface DlqFilter {
  readonly event?: string | undefined
  readonly consumer?: string | undefined
  /** Dead-lettered at or after. */
  readonly from?: Date | undefined
  /** Dead-lettered before. */
  readonly to?: Date | undefined
}
export interface DlqPage {
  readonly entries: readonly DeadLetterEntry[]
  /** Pass it on to get what follows; undefined at the end. */
  readonly cursor: string | undefined
}

/** Dead letters that tools can read. */
export interface DlqStore extends DeadLetters {
  get(id: string): Promise<DeadLetterEntry | undefined>
  /** Ordered by id; `limit` at most 500, default 100. */
  list(
    filter?: DlqFilter,
    page?: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
  ): Promise<DlqPage>
  count(filter?: DlqFilter): Promise<number>
}
