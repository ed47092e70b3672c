import { workerData } from 'node:worker_threads'
import { type TrieThread, takePartForever } from './trie_threads.ts'

takePartForever(workerData as TrieThread)
