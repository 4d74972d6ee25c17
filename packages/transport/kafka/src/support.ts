import type { TransportSupport } from '@evt/core'

export function kafkaSupport(maxMessageBytes: number, retentionMs: number | undefined): TransportSupport {
  return {
    durability: 'broker',
    groups: true,
    ordering: { plain: 'group', partitioned: 'group' },
    lease: 'session',
    fencing: 'broker',
    delay: { maxMs: 7 * 86_400_000, precisionMs: 50 },
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
