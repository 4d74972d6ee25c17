import type { TransportSupport } from '@evt/core'

/** The longest a retry waits in its topic, whatever is written there. */
export const maxDelayMs: number = 7 * 86_400_000

export function kafkaSupport(maxMessageBytes: number, retentionMs: number | undefined): TransportSupport {
  return {
    durability: 'broker',
    groups: true,
    ordering: { plain: 'group', partitioned: 'group' },
    lease: 'session',
    fencing: 'broker',
    delay: { maxMs: maxDelayMs, precisionMs: 50 },
    attempts: 'exact',
    release: 'free',
    starts: ['earliest', 'latest', 'time', 'position'],
    deadLetters: 'broker',
    targeted: false,
    lag: 'upperBound',
    dedupeWindowMs: 0,
    retention: retentionMs === undefined ? 'acknowledged' : 'limits',
    publishOrder: 'independent',
    confirms: 'accepted',
    maxMessageBytes,
    byReference: false,
    readOverrun: 0,
  }
}
