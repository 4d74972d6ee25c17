import { checkKnown, invalidOption, wholeNumber } from '../options.ts'
import { type RetryDecision, retryDecision } from '../retry-policy.ts'
import type { BatchOptions, CommonSubscribeOptions } from '../subscription-options.ts'

/** The bus's own defaults for the subscriptions made on it. */
export type SubscribeDefaults = Pick<
  CommonSubscribeOptions,
  'concurrency' | 'prefetch' | 'prefetchBytes' | 'leaseMs' | 'timeoutMs' | 'holdMs' | 'retry'
>

/** Parsed options of one subscription: every number has its value. */
export interface ConsumerSettings {
  readonly concurrency: number
  readonly prefetch: number
  readonly prefetchBytes: number
  readonly leaseMs: number
  readonly timeoutMs: number
  readonly holdMs: number
  readonly maxAgeMs: number | undefined
  readonly latestOnly: boolean
  readonly batch: { readonly maxItems: number; readonly maxBytes: number; readonly lingerMs: number } | undefined
  readonly retry: RetryDecision
}

/** A value with the place it came from. */
export interface Setting {
  readonly value: unknown
  readonly origin: 'subscription' | 'bus' | 'library'
}
const inherited = ['concurrency', 'prefetch', 'prefetchBytes', 'leaseMs', 'timeoutMs', 'holdMs', 'retry'] as const

export function consumerSettings(
  options: CommonSubscribeOptions & { readonly batch?: BatchOptions | undefined },
  isBatch: boolean,
  defaults: SubscribeDefaults,
  random: () => number,
  report: (error: unknown) => void,
): ConsumerSettings {
  const merged = { ...options }
  for (const name of inherited) if (options[name] === undefined) Object.assign(merged, { [name]: defaults[name] })
  if (options.batch !== undefined && !isBatch) throw invalidOption('batch', 'only onBatch takes it')
  const batch = isBatch ? batchSettings(options.batch ?? {}) : undefined
  const concurrency = wholeNumber('concurrency', merged.concurrency, { min: 1, default: isBatch ? 1 : 16 })
  const perSlot = batch?.maxItems ?? 1
  return {
    concurrency,
    prefetch: wholeNumber('prefetch', merged.prefetch, { min: 1, default: 2 * concurrency * perSlot }),
    prefetchBytes: wholeNumber('prefetchBytes', merged.prefetchBytes, { min: 1, default: 8 * 1_024 * 1_024 }),
    leaseMs: wholeNumber('leaseMs', merged.leaseMs, { min: 100, default: 30_000 }),
    timeoutMs: wholeNumber('timeoutMs', merged.timeoutMs, { min: 1, default: 30_000 }),
    holdMs: wholeNumber('holdMs', merged.holdMs, { min: 0, default: 1_000 }),
    maxAgeMs:
      merged.maxAgeMs === undefined ? undefined : wholeNumber('maxAgeMs', merged.maxAgeMs, { min: 1, default: 1 }),
    latestOnly: merged.latestOnly ?? false,
    batch,
    retry: retryDecision(merged.retry, random, report),
  }
}

/** Throws where the defaults of a bus hold something that no subscription could take. */
export function checkDefaults(defaults: SubscribeDefaults): void {
  checkKnown('defaults', defaults, inherited)
  consumerSettings({}, false, defaults, Math.random, () => {})
}

/** What a subscription runs with and where each value came from. */
export function explainSettings(
  options: CommonSubscribeOptions,
  defaults: SubscribeDefaults,
  settings: ConsumerSettings,
): Readonly<Record<string, Setting>> {
  const explained: Record<string, Setting> = {}
  for (const name of inherited) {
    const origin = options[name] !== undefined ? 'subscription' : defaults[name] !== undefined ? 'bus' : 'library'
    const value = name === 'retry' ? { attempts: settings.retry.attempts } : settings[name]
    explained[name] = { value, origin }
  }
  return explained
}

function batchSettings(options: BatchOptions): NonNullable<ConsumerSettings['batch']> {
  checkKnown('batch', options, ['maxItems', 'maxBytes', 'lingerMs'])
  return {
    maxItems: wholeNumber('batch.maxItems', options.maxItems, { min: 1, default: 100 }),
    maxBytes: wholeNumber('batch.maxBytes', options.maxBytes, { min: 1, default: 1_024 * 1_024 }),
    lingerMs: wholeNumber('batch.lingerMs', options.lingerMs, { min: 0, default: 1_000 }),
  }
}
