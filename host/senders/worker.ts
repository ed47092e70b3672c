import { parentPort, workerData } from 'node:worker_threads'
import type { Library } from './rows.ts'
import { recoverChunk, type SharedJob } from './shared_job.ts'

/** Recovers rows of the jobs that it is sent, one job after another, until no row is left to claim. */
const library = workerData as Library

parentPort!.on('message', (job: SharedJob) => {
  while (recoverChunk(job, library));
})
