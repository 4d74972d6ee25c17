import { w8Consume } from './w8-consume.ts'
import { w8Produce } from './w8-produce.ts'
import type { Workload } from './workload.ts'

/** Kafka: single publishes awaited side by side, and a backlog read with handlers that do nothing or take a millisecond. */
export const w8: readonly Workload[] = [...w8Produce, ...w8Consume]
