import type { Watched } from './deadline-list.ts'
import type { Published } from './publish-options.ts'
import type { Outgoing } from './transport.ts'

/** A publish under way, with somebody who waits for it. */
export interface Publication<Own> extends Watched<Own> {
  readonly outgoing: Outgoing
  readonly resolve: (published: Published) => void
  readonly reject: (error: Error) => void
  /** `accepted`: waiting for handlers alone. */
  stage: 'queued' | 'sent' | 'accepted'
}
