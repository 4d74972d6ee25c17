import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A clock tick of /proc, which is 10 ms on every Linux that Node runs on. */
const tickMs = 10

/** Processor time of a process and everything below it, also what has ended; undefined where /proc does not tell. */
export function treeMs(pid: number): number | undefined {
  const children = new Map<number, number[]>()
  const ticks = new Map<number, number>()
  try {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const stat = statOf(name)
      if (stat === undefined) continue
      ticks.set(Number(name), stat.ticks)
      children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)])
    }
  } catch {
    return undefined
  }
  if (!ticks.has(pid)) return undefined
  let sum = 0
  const below = [pid]
  for (let next = below.pop(); next !== undefined; next = below.pop()) {
    sum += ticks.get(next) ?? 0
    below.push(...(children.get(next) ?? []))
  }
  return sum * tickMs
}

function statOf(pid: string): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    // It ended meanwhile.
    return undefined
  }
}

/** Reads parent and processor time, that of ended children included. The name in the middle may hold anything. */
export function parseStat(stat: string): { readonly parent: number; readonly ticks: number } {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  return { parent: fields[1]!, ticks: fields[11]! + fields[12]! + fields[13]! + fields[14]! }
}

export interface MachineTime {
  /** What all processors have done, in ms. */
  readonly busyMs: number
  /** What they were kept from doing by other machines on the same hardware. */
  readonly stolenMs: number
}

/** Processor time of the whole machine since its start; undefined where /proc does not tell. */
export function machineTime(): MachineTime | undefined {
  try {
    return parseMachineTime(readFileSync('/proc/stat', 'utf8'))
  } catch {
    return undefined
  }
}

export function parseMachineTime(stat: string): MachineTime {
  const [user, nice, system, , , interrupts, soft, stolen] = stat
    .split('\n')[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return { busyMs: (user! + nice! + system! + interrupts! + soft!) * tickMs, stolenMs: (stolen ?? 0) * tickMs }
}

/** The process that listens on a loopback port, as far as this user may see it. */
export function listenerOf(port: number): number | undefined {
  try {
    // Java listens on a socket of IPv6 also where the address is of IPv4.
    const inode =
      listeningInode(readFileSync('/proc/net/tcp', 'utf8'), port) ??
      listeningInode(readFileSync('/proc/net/tcp6', 'utf8'), port)
    if (inode === undefined) return undefined
    for (const pid of readdirSync('/proc')) {
      if (/^\d+$/.test(pid) && holdsSocket(pid, inode)) return Number(pid)
    }
  } catch {
    return undefined
  }
  return undefined
}

export function listeningInode(table: string, port: number): string | undefined {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    if (state === '0A' && local?.endsWith(`:${wanted}`)) return inode
  }
  return undefined
}

function holdsSocket(pid: string, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`)
  } catch {
    return false
  }
}
