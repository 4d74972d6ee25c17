import type { Workload } from './workload.ts'

/** Files with workloads, in the order in which they run. A new one adds its line. */
const files: readonly string[] = [
  'w0',
  'w1',
  'w2',
  'w3',
  'w3-pg',
  'w4',
  'w4-pg',
  'w5',
  'w6',
  'w7',
  'w8-produce',
  'w8-consume',
  'w9',
  'w10',
  'w10-brokers',
  'w11',
  'w12',
  'w13',
  'w18',
]

/** A workload, and the file that a process of its own needs to load for it. */
export interface Listed {
  readonly file: string
  readonly workload: Workload
}

export async function allWorkloads(): Promise<readonly Listed[]> {
  const listed: Listed[] = []
  for (const file of files) for (const workload of await workloadsIn(file)) listed.push({ file, workload })
  return listed
}

export async function workloadsIn(file: string): Promise<readonly Workload[]> {
  const { workloads } = (await import(`./${file}.ts`)) as { readonly workloads: readonly Workload[] }
  return workloads
}
