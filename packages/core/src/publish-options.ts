import type { MessageOptions } from './message.ts'

export interface PublishOptions<Transaction = never> extends MessageOptions {
  /** Write to the outbox in this transaction. Default: the ambient transaction, if there is one. */
  readonly transaction?: Transaction | undefined
  /** Stops waiting; the message may still be published. */
  readonly signal?: AbortSignal | undefined
}

/** What became of a published message. */
export interface Published {
  readonly id: string
  /** `nowhere`: a discarded event. */
  readonly via: 'transport' | 'outbox' | 'nowhere'
}
