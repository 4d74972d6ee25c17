import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { otherShare } from './other-load.ts'
import { machineTime, treeMs } from './processor-time.ts'

/** What one round cost. */
export interface Reading {
  readonly elapsedMs: number
  /** Processor time of this process. */
  readonly cpuMs: number
  /** Processor time of the servers; undefined where they run elsewhere. */
  readonly serverCpuMs: number | undefined
  readonly peakRssMb: number
  /** How late the event loop was, 99th percentile. */
  readonly eventLoopP99Ms: number
  readonly gcMs: number
  /** The share of the machine that others used; undefined where /proc does not tell. */
  readonly otherShare: number | undefined
}

const processors = availableParallelism()
const samplingMs = 10
/** Clock ticks say nothing about less. */
const leastMs = 100
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Measures one piece of work, on a heap that holds nobody else's garbage and after what it needs to get going. */
export async function measure(
  work: () => Promise<void>,
  serverPids: readonly number[],
  warmUp: () => Promise<void> = async () => undefined,
): Promise<Reading> {
  collectGarbage()
  await warmUp()
  let gcMs = 0
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcMs += duration
  })
  observer.observe({ entryTypes: ['gc'] })
  const delay = monitorEventLoopDelay({ resolution: samplingMs })
  delay.enable()
  const resets = resetPeak()
  const serversBefore = serverMs(serverPids)
  const machineBefore = machineTime()
  const spent = process.cpuUsage()
  const fromNs = process.hrtime.bigint()
  await work()
  const elapsedMs = Number(process.hrtime.bigint() - fromNs) / 1e6
  const { user, system } = process.cpuUsage(spent)
  const machineAfter = machineTime()
  const serversAfter = serverMs(serverPids)
  delay.disable()
  for (const { duration } of observer.takeRecords()) gcMs += duration
  observer.disconnect()
  const cpuMs = (user + system) / 1_000
  const serverCpuMs =
    serversBefore === undefined || serversAfter === undefined ? undefined : serversAfter - serversBefore
  const others =
    machineBefore === undefined || machineAfter === undefined || elapsedMs < leastMs
      ? undefined
      : otherShare({
          before: machineBefore,
          after: machineAfter,
          ...{ elapsedMs, processors, ownMs: cpuMs, serversMs: serverCpuMs ?? 0 },
        })
  return {
    elapsedMs,
    cpuMs,
    serverCpuMs,
    peakRssMb: peakRssMb(resets),
    eventLoopP99Ms: Math.max(0, delay.percentile(99) / 1e6 - samplingMs),
    gcMs,
    otherShare: others,
  }
}

function serverMs(pids: readonly number[]): number | undefined {
  let sum = 0
  for (const pid of pids) {
    const ms = treeMs(pid)
    if (ms === undefined) return undefined
    sum += ms
  }
  return sum
}

/** Linux forgets the peak of a process that writes 5 here; elsewhere the peak is that of the whole run. */
function resetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return true
  } catch {
    return false
  }
}

function peakRssMb(wasReset: boolean): number {
  const peakKb = wasReset
    ? Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
    : Number.NaN
  return (Number.isNaN(peakKb) ? process.resourceUsage().maxRSS : peakKb) / 1_024
}
