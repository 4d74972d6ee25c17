import type { ConsumerEvents, ConsumeSpec } from '@evt/core'
import type { CheckedOptions } from './options.ts'
import type { Scripts } from './scripts.ts'
import type { KnownTopic, Topics } from './topics.ts'

export interface ConsumerParts {
  readonly options: CheckedOptions
  readonly scripts: Scripts
  readonly topics: Topics
  readonly topic: KnownTopic
  readonly spec: ConsumeSpec
  readonly events: ConsumerEvents
  warn(fields: object, message: string): void
}
