import type { TransportSupport } from '@evt/core'
import type { JetstreamSettings } from './js-options.ts'

/** Bytes of a message that are kept free for what a dead letter says about it. */
export function reservedBytes(maxPayload: number): number {
  return Math.min(16_384, Math.floor(maxPayload / 4))
}

export function jetstreamSupport(maxMessageBytes: number, settings: JetstreamSettings): TransportSupport {
  return {
    durability: 'broker',
    groups: true,
    ordering: { plain: 'process', partitioned: settings.stream === undefined ? 'group' : 'none' },
    lease: 'message',
    fencing: 'clock',
    delay: { maxMs: 7 * 86_400_000, precisionMs: 1_000 },
    attempts: 'exact',
    release: 'free',
    starts: ['earliest', 'latest', 'time', 'position'],
    deadLetters: 'broker',
    targeted: false,
    lag: 'exact',
    dedupeWindowMs: settings.duplicateWindowMs,
    retention: settings.stream === undefined ? 'acknowledged' : 'limits',
    publishOrder: 'independent',
    confirms: 'accepted',
    maxMessageBytes,
    byReference: false,
    readOverrun: 0,
  }
}
