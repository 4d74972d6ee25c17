import type { Release } from './envelope.ts'

/** At the n-th pass of one of these crash points the process kills itself. */
export interface Crash {
  readonly points: readonly string[]
  readonly nth: number
  /** Passes count from the first of this point on. Default: from the start. */
  readonly after?: string | undefined
}
/** What every program is told. */
export interface Program {
  readonly stage: string
  /** Address of the stage's broker; empty where it has none. */
  readonly brokerUrl: string
  readonly databaseUrl: string
  readonly namespace: string
  readonly seed: number
  readonly crashes?: readonly Crash[] | undefined
  /** Added to the wall clock the program is given. */
  readonly clockSkewMs?: number | undefined
  /** A name of `bugs`. */
  readonly bug?: string | undefined
  /** Where dead letters and claims are kept, apart from the rest. Default the database. */
  readonly sideUrl?: string | undefined
  /** Connections of its pool. Default 12. */
  readonly connections?: number | undefined
  /** After so long without an answer a statement has failed. Default 5,000. */
  readonly statementTimeoutMs?: number | undefined
}
export interface PublisherProgram extends Program {
  /** Number of the first message. */
  readonly first: number
  readonly count: number
  /** Default: as fast as it goes. */
  readonly perSecond?: number | undefined
  /** Concurrent lines of work; each has keys of its own. Default 8. */
  readonly lines?: number | undefined
  /** Keys of each line; 0: messages without key. Default 4. */
  readonly keys?: number | undefined
  /** What keys begin with, so that two publishers at once have keys of their own. Default `k`. */
  readonly keyPrefix?: string | undefined
  /** Part of the transactions rolled back, 0 to 1. Default 0. */
  readonly rollbackShare?: number | undefined
  /** Part of the messages that fail in the handler at first, `flakyFailures` times. Default 0. */
  readonly flakyShare?: number | undefined
  readonly flakyFailures?: number | undefined
  /** Part of the messages that always fail. Default 0. */
  readonly poisonShare?: number | undefined
  readonly paddingBytes?: number | undefined
  /** How long a transaction stays open between its first statement and its publish, at most. Default 0. */
  readonly holdMs?: number | undefined
  /** Default: this release. */
  readonly release?: Release | undefined
  /** Publishes every message so many times under one id, in rows of their own. Default 1. */
  readonly copies?: number | undefined
}
export interface RelayProgram extends Program {
  readonly leaseMs?: number | undefined
  readonly pollMs?: number | undefined
  readonly batch?: number | undefined
  /** Part of the messages the transport refuses, chosen by their number. Default 0. */
  readonly refuseShare?: number | undefined
  /** Longest random pause around a publish. Default 0. */
  readonly pauseMs?: number | undefined
}
export interface WorkerProgram extends Program {
  /** Whether it also runs the relay of the outbox. */
  readonly relay: boolean
  readonly relayLeaseMs?: number | undefined
  readonly relayPollMs?: number | undefined
  /** What the transport does where the broker has lost its state; for stages that have the choice. */
  readonly onMissing?: 'fail' | undefined
  /** Default `work`. */
  readonly groups?: readonly string[] | undefined
  /** Whether a group `claims` handles everything too, idempotent by claims instead of exactly once. */
  readonly claims?: boolean | undefined
  /** Messages have keys, so that order counts. Default true. */
  readonly keyed?: boolean | undefined
  /** Whether it reads MessagePack and Protocol Buffers, too. */
  readonly codecs?: true | undefined
  readonly batch?: boolean | undefined
  /** Large batches, whose effects are one statement: to get through much that is not what is looked at. */
  readonly bulk?: boolean | undefined
  readonly handlerMs?: readonly [number, number] | undefined
  /** Every message numbered a multiple of this blocks the event loop once for `blockMs`. */
  readonly blockEvery?: number | undefined
  readonly blockMs?: number | undefined
  /** Everything fails for so long from the first message on. */
  readonly failForMs?: number | undefined
  readonly concurrency?: number | undefined
  readonly prefetch?: number | undefined
  readonly leaseMs?: number | undefined
  readonly attempts?: number | undefined
  /** Dead letters go to the transport's own place instead of the store. */
  readonly brokerLetters?: boolean | undefined
  readonly backoffMs?: number | undefined
  readonly holdMs?: number | undefined
  readonly circuit?: { readonly failures: number; readonly successes: number; readonly openMs: number } | undefined
  /** Hands a part of the messages over twice and mixes those next to each other. */
  readonly disorder?: { readonly share: number; readonly window: number } | undefined
  /** A part of the handlers has its statements fail with a serialization failure or a deadlock. */
  readonly sqlFailureShare?: number | undefined
  /** Everything a user may pass in throws now and then. */
  readonly throwing?: boolean | undefined
  readonly closeDeadlineMs?: number | undefined
}
/** What damaged headers or bytes are handed to. */
export interface FuzzProgram extends Program {
  readonly cases: number
  /** `envelope`, or the name of a codec. */
  readonly reader: string
}
