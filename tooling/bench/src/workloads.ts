import type { Workload } from './workload.ts'

/** Files with workloads, in the order in which they run. A new one adds its line. */
const files = {
  w0: () => import('./w0.ts'),
  w1: () => import('./w1.ts'),
  w2: () => import('./w2.ts'),
  w3: () => import('./w3.ts'),
  'w3-pg': () => import('./w3-pg.ts'),
  w4: () => import('./w4.ts'),
  'w4-pg': () => import('./w4-pg.ts'),
  w5: () => import('./w5.ts'),
  w6: () => import('./w6.ts'),
  w7: () => import('./w7.ts'),
  'w8-produce': () => import('./w8-produce.ts'),
  'w8-consume': () => import('./w8-consume.ts'),
  w9: () => import('./w9.ts'),
  w10: () => import('./w10.ts'),
  'w10-brokers': () => import('./w10-brokers.ts'),
  w11: () => import('./w11.ts'),
  w12: () => import('./w12.ts'),
  w13: () => import('./w13.ts'),
  w18: () => import('./w18.ts'),
}
export type WorkloadFile = keyof typeof files

/** A workload, and the file that a process of its own needs to load for it. */
export interface Listed {
  readonly file: WorkloadFile
  readonly workload: Workload
}

export async function allWorkloads(): Promise<readonly Listed[]> {
  const listed: Listed[] = []
  for (const file of Object.keys(files) as WorkloadFile[])
    for (const workload of await workloadsIn(file)) listed.push({ file, workload })
  return listed
}

export async function workloadsIn(file: WorkloadFile): Promise<readonly Workload[]> {
  const { workloads } = await files[file]()
  return workloads
}
