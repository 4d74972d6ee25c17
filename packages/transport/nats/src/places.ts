import type { ConsumerState, TrimReport } from '@evt/core'
import type { Ask, ConsumerInfo, StreamInfo } from './js-api.ts'
import { token } from './names.ts'
import type { KnownTopic, Side, Streams } from './streams.ts'

/** Every consumer of a topic's stream, also those of others, which `isOurs` tells apart. */
export async function consumersOf(ask: Ask, { stream }: KnownTopic): Promise<readonly ConsumerInfo[]> {
  const all: ConsumerInfo[] = []
  for (;;) {
    const body = { offset: all.length }
    const page = await ask<{ total: number; consumers?: ConsumerInfo[] | null }>(
      `Listing consumers of ${stream}`,
      `CONSUMER.LIST.${stream}`,
      body,
    )
    all.push(...(page?.consumers ?? []))
    if (!page?.consumers?.length || all.length >= page.total) break
  }
  return all
}
export function isOurs({ subjects }: KnownTopic, { config }: ConsumerInfo): boolean {
  return subjects.includes(config.filter_subject)
}

export async function inspect(
  ask: Ask,
  streams: Streams,
  topic: KnownTopic,
  dead: Side,
  nowMs: number,
): Promise<readonly ConsumerState[]> {
  const consumers = (await consumersOf(ask, topic)).filter((info) => isOurs(topic, info))
  const letters = await streams.info(dead.stream, { subjects_filter: `${dead.subject}.>` })
  const states = new Map<string, ConsumerState>()
  for (const info of consumers) {
    const consumer = info.config.description
    const known = states.get(consumer)
    const oldestMs = await oldestOf(ask, topic.stream, info, nowMs)
    states.set(consumer, {
      consumer,
      lag: (known?.lag ?? 0) + info.num_pending,
      // What is handed over and what was given back for later count alike on the server.
      running: (known?.running ?? 0) + info.num_ack_pending,
      delayed: null,
      deadLettered: lettersOf(letters, `${dead.subject}.${token('c', consumer)}.`),
      oldestMs: known?.oldestMs == null ? oldestMs : Math.max(known.oldestMs, oldestMs ?? 0),
    })
  }
  return [...states.values()]
}
function lettersOf(info: StreamInfo | undefined, prefix: string): number {
  let count = 0
  for (const subject in info?.state.subjects) if (subject.startsWith(prefix)) count += info.state.subjects[subject]!
  return count
}
async function oldestOf(ask: Ask, stream: string, info: ConsumerInfo, nowMs: number): Promise<number | null> {
  if (info.num_pending + info.num_ack_pending === 0) return null
  const body = { seq: info.ack_floor.stream_seq + 1, next_by_subj: info.config.filter_subject }
  const found = await ask<{ message: { time: string } }>(
    'Looking at the oldest message',
    `STREAM.MSG.GET.${stream}`,
    body,
  )
  return found === undefined ? null : Math.max(0, nowMs - Date.parse(found.message.time))
}

/** Up to where a consumer needs nothing any more. One that has everything settled needs nothing that was there before. */
function floorOf(info: ConsumerInfo, lastSequence: number): number {
  const idle = info.num_pending === 0 && info.num_ack_pending === 0
  return idle ? Math.max(lastSequence, info.ack_floor.stream_seq) : info.ack_floor.stream_seq
}

/**
 * Removes what every consumer has acknowledged, those of others too, up to where the slowest of all subjects is. Never subject by subject: where a
 * purge names the subject of a consumer, NATS 2.9.10 forgets what it has handed over there and hands it to nobody again.
 */
export async function trim(
  ask: Ask,
  topic: KnownTopic,
  { state }: StreamInfo,
  consumers: readonly ConsumerInfo[],
): Promise<TrimReport> {
  const read = new Set(consumers.map(({ config }) => config.filter_subject))
  if (!topic.subjects.every((subject) => read.has(subject))) return { removed: 0, heldBackBy: null }
  const slowest = consumers.reduce((low, info) =>
    floorOf(info, state.last_seq) < floorOf(low, state.last_seq) ? info : low,
  )
  const floor = floorOf(slowest, state.last_seq)
  const heldBackBy = floor < state.last_seq ? nameOf(topic, slowest) : null
  if (floor < state.first_seq || state.messages === 0) return { removed: 0, heldBackBy }
  const body = { seq: floor + 1 }
  const purged = await ask<{ purged: number }>(`Trimming ${topic.name}`, `STREAM.PURGE.${topic.stream}`, body)
  return { removed: purged?.purged ?? 0, heldBackBy }
}

function nameOf(topic: KnownTopic, info: ConsumerInfo): string {
  return (isOurs(topic, info) && info.config.description) || info.name
}
