import { systemClock } from './clock.ts'
import { identify } from './consumer/identity.ts'
import { consumerSettings } from './consumer/settings.ts'
import { gateOf } from './consumer/subscription-gate.ts'
import { startKind } from './consumer/support-check.ts'
import { checkMiddleware } from './middleware.ts'
import { checkBoolean, checkFunction, checkKnown, invalidOption } from './options.ts'
import type { BatchOptions, SubscribeOptions } from './subscription-options.ts'

const known = [
  'concurrency',
  'prefetch',
  'prefetchBytes',
  'leaseMs',
  'timeoutMs',
  'holdMs',
  'retry',
  'ordered',
  'maxAgeMs',
  'latestOnly',
  'filter',
  'rateLimit',
  'circuit',
  'use',
  'transport',
  'deadLetters',
  'afterDeadLetter',
  'onDeadLetter',
  'startAt',
  'mode',
  'group',
  'name',
  'instance',
  'batch',
]

/** Everything about the options that needs no bus: refused where they are written, so that the stack names that line. */
export function checkSubscription(
  owner: string,
  options: SubscribeOptions & { readonly batch?: BatchOptions | undefined },
  isBatch: boolean,
): void {
  checkKnown(owner, options, known)
  checkMode(options)
  checkValues(options)
  consumerSettings(options, isBatch, {}, Math.random, () => {})
  // Made to be checked: names, start and gates belong to a bus.
  identify('service', options, 'name')
  if (options.startAt !== undefined) startKind(options.startAt)
  gateOf(options, systemClock)
}

function checkValues(options: SubscribeOptions): void {
  if (options.filter !== undefined) checkFunction('filter', options.filter)
  if (options.onDeadLetter !== undefined) checkFunction('onDeadLetter', options.onDeadLetter)
  checkBoolean('latestOnly', options.latestOnly)
  for (const each of checkMiddleware('use', options.use)) {
    for (const hook of ['publish', 'start', 'stop'] as const)
      if (each[hook] !== undefined)
        throw invalidOption(`use.${each.name}.${hook}`, 'only middleware of the bus has it: give it to createBus')
  }
  if (options.startAt !== undefined) startKind(options.startAt)
  if (options.transport !== undefined && typeof options.transport !== 'string')
    throw invalidOption('transport', 'expected the name of a transport of the bus')
  if (options.deadLetters !== undefined && !['keep', 'drop'].includes(options.deadLetters))
    throw invalidOption('deadLetters', "expected 'keep' or 'drop'")
}

function checkMode(options: SubscribeOptions): void {
  const { mode } = options as { mode?: unknown }
  if (mode !== undefined && mode !== 'worker' && mode !== 'broadcast')
    throw invalidOption('mode', "expected 'worker' or 'broadcast'")
  if (mode === 'broadcast' && options.group !== undefined) throw invalidOption('group', 'a broadcast has none')
  if (mode !== 'broadcast' && (options as { name?: unknown }).name !== undefined)
    throw invalidOption('name', 'only a broadcast has one')
  if (mode !== 'broadcast' && (options as { instance?: unknown }).instance !== undefined)
    throw invalidOption('instance', 'only a broadcast has one')
  const { ordered, afterDeadLetter } = options as { ordered?: unknown; afterDeadLetter?: unknown }
  if (afterDeadLetter !== undefined && afterDeadLetter !== 'continue' && afterDeadLetter !== 'blockKey')
    throw invalidOption('afterDeadLetter', "expected 'continue' or 'blockKey'")
  if (ordered !== undefined && !['none', 'process', 'group'].includes(ordered as string)) {
    throw invalidOption('ordered', "expected 'none', 'process' or 'group'")
  }
  if (ordered === 'none' && afterDeadLetter === 'blockKey')
    throw invalidOption('afterDeadLetter', "'blockKey' needs an order")
  if (ordered === 'none' && options.latestOnly === true)
    throw invalidOption('latestOnly', "with ordered: 'none' no message is newer than another")
}
