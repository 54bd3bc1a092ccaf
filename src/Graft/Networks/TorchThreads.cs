using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Graft.Networks;

/// <summary>Sets how many threads libtorch computes an operation with, until disposed; and runs Graft's own work on those threads.</summary>
internal sealed unsafe class TorchThreads : IDisposable
{
    private static readonly delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void> Parallelize = FindParallelize();

    private readonly int _before = get_num_threads();

    public TorchThreads(int count) => set_num_threads(count);

    public void Dispose() => set_num_threads(_before);

    /// <summary>
    /// Runs the same work on several threads at once: on libtorch's own where they can be reached, since threads of .NET would compete with
    /// those for the cores at every change from one to the other.
    /// </summary>
    /// <param name="work">Divides itself among the threads that run it. It must not throw.</param>
    public static void Run(int threads, Action work)
    {
        if (Parallelize == null)
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ => work());
            return;
        }
        var handle = GCHandle.Alloc(work);
        try
        {
            Parallelize(&OnThread, GCHandle.ToIntPtr(handle), (uint)threads, 0);
        }
        finally
        {
            handle.Free();
        }
    }

    [UnmanagedCallersOnly]
    private static void OnThread(nint work) => Unsafe.As<Action>(GCHandle.FromIntPtr(work).Target!)();

    /// <summary>GNU's OpenMP, which libtorch brings on Linux, under the name by which compiled code calls it.</summary>
    private static delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void> FindParallelize() =>
        OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libtorch_cpu.so", out var library)
        && NativeLibrary.TryGetExport(library, "GOMP_parallel", out var address)
            ? (delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void>)address
            : null;
}
