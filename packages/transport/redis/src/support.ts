import type { TransportSupport } from '@evt/core'

export function redisSupport(maxMessageBytes: number): TransportSupport {
  return {
    durability: 'broker',
    groups: true,
    ordering: { plain: 'process', partitioned: 'group' },
    lease: 'session',
    fencing: 'broker',
    delay: { maxMs: 365 * 86_400_000, precisionMs: 5 },
    attempts: 'exact',
    release: 'free',
    starts: ['earliest', 'latest', 'time', 'position'],
    deadLetters: 'broker',
    targeted: false,
    lag: 'exact',
    dedupeWindowMs: 0,
    retention: 'acknowledged',
    publishOrder: 'independent',
    confirms: 'accepted',
    maxMessageBytes,
    byReference: false,
    readOverrun: 0,
  }
}
