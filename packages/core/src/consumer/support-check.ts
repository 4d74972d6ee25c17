import { evtError } from '../errors.ts'
import { invalidOption } from '../options.ts'
import type { CommonSubscribeOptions } from '../subscription-options.ts'
import type { OrderScope, StartAt, Topic, TransportSupport } from '../transport.ts'
import { type Identity, startOf } from './identity.ts'

/** Throws `EVT_OPTION_UNSUPPORTED` for what a transport cannot honour, before anything is read. */
export function checkSupport(
  transport: string,
  supports: TransportSupport,
  identity: Identity,
  options: CommonSubscribeOptions,
  ordered: OrderScope,
  topic: Topic,
  hasDeadLetterStore: boolean,
): void {
  const unsupported = (option: string, why: string) =>
    evtError('EVT_OPTION_UNSUPPORTED', `The transport ${transport} does not support ${option}: ${why}`, {
      option,
      transport,
    })
  if ('group' in identity.as && !supports.groups) throw unsupported('group', 'it has no groups')
  const start = startKind(startOf(identity, supports))
  if (!supports.starts.includes(start)) throw unsupported('startAt', `it starts at ${supports.starts.join(', ')} only`)
  if (ordered === 'group' && supports.ordering.plain !== 'group') {
    if (supports.ordering.partitioned !== 'group') throw unsupported('ordered', "'group' needs another transport")
    if (topic.partitions === undefined)
      throw unsupported('ordered', `'group' needs partitions, and "${topic.name}" was registered without`)
  }
  if (ordered === 'process' && supports.ordering.plain === 'none') throw unsupported('ordered', 'it keeps no order')
  if (supports.deadLetters === 'none' && !hasDeadLetterStore && options.deadLetters !== 'drop') {
    throw unsupported('deadLetters', "it keeps none: give the bus a store, or say deadLetters: 'drop'")
  }
  if (options.afterDeadLetter === 'blockKey') {
    if (!hasDeadLetterStore) throw unsupported('afterDeadLetter', "'blockKey' needs a dead-letter store on the bus")
    if (ordered === 'none') throw invalidOption('afterDeadLetter', "'blockKey' needs an order")
  }
}

/** Which kind of start it is, or `EVT_OPTION_INVALID`. */
export function startKind(from: StartAt): TransportSupport['starts'][number] {
  if (from === 'earliest' || from === 'latest') return from
  if (from instanceof Date) {
    if (Number.isNaN(from.getTime())) throw invalidOption('startAt', 'expected a valid Date')
    return 'time'
  }
  if (typeof from?.position !== 'string')
    throw invalidOption('startAt', "expected 'earliest', 'latest', a Date or { position }")
  return 'position'
}
