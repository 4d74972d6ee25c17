import type { Reading } from './meter.ts'
import type { Facts } from './workload.ts'

/** What a round cost beside its main figure; processor time for each message. */
export function costFigures({ cpuMs, serverCpuMs, peakRssMb, eventLoopP99Ms, gcMs }: Reading, messages: number): Facts {
  return {
    'cpu µs': (cpuMs * 1_000) / messages,
    ...(serverCpuMs === undefined || serverCpuMs === 0 ? {} : { 'server cpu µs': (serverCpuMs * 1_000) / messages }),
    'peak RSS MB': peakRssMb,
    'event loop p99 ms': eventLoopP99Ms,
    'gc ms': gcMs,
  }
}
