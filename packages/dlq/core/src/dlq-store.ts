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

export interface DlqPageOptions {
  /** At most 500, default 100. */
  readonly limit?: number | undefined
  /** Where the page before ended. */
  readonly cursor?: string | undefined
}

/** Dead letters that tools can read. */
export interface DlqStore extends DeadLetters {
  get(id: string): Promise<DeadLetterEntry | undefined>
  /** Ordered by id. */
  list(filter?: DlqFilter, page?: DlqPageOptions): Promise<DlqPage>
  count(filter?: DlqFilter): Promise<number>
}
