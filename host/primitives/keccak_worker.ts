import { workerData } from 'node:worker_threads'
import { controlOf, takePartForever } from './keccak_claims.ts'
import { keccakModule, keccakOn } from './keccak_memory.ts'
import type { WasmMemory } from './web_assembly.ts'

/** What a thread that hashes is given. */
export interface HashThread {
  readonly memory: WasmMemory
  /** Its state in the memory. */
  readonly thread: number
}

const { memory, thread } = workerData as HashThread

takePartForever(controlOf(memory.buffer), keccakOn(keccakModule(), memory, thread))
