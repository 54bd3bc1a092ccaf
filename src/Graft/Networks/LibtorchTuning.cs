using System.Runtime.InteropServices;

namespace Graft.Networks;

/// <summary>
/// Settings of the C runtime that make libtorch on Linux several times faster beside threads that decode photos. They must be made before
/// libtorch is loaded; what the environment says already is left as it is. And what its start leaves in memory is given back.
/// </summary>
internal static partial class LibtorchTuning
{
    private const int TrimThreshold = -1, MapThreshold = -3; // malloc.h
    private const int DontNeed = 4; // mman.h
    private const string Library = "libtorch_cpu.so";

    private static int _isReleased;

    public static void Apply()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            // Threads of OpenMP that wait would otherwise spin for milliseconds, and take the cores from the decoder.
            // A tenth of a millisecond is what the next operation of a network takes to come; to be woken up for each costs a training a tenth.
            if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null) _ = SetEnvironment("GOMP_SPINCOUNT", "10000", overwrite: 0);
            // Activations of a batch take tens of megabytes; mapping and clearing fresh pages for each costs more than many a layer.
            // Not to map larger ones either is no faster, and a ResNet50 takes up to 0.2 GB more.
            _ = SetMallocOption(MapThreshold, 32 << 20);
            _ = SetMallocOption(TrimThreshold, 1 << 30);
        }
        catch (Exception problem) when (problem is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library than glibc: slower, not wrong.
        }
    }

    /// <summary>Loads libtorch on another thread while there is something else to do: it takes some tenths of a second.</summary>
    public static void LoadAhead()
    {
        Apply();
        // What goes wrong is said where libtorch is first needed.
        _ = Task.Run(() => TorchSharp.torch.get_num_threads()).ContinueWith(
            loading => _ = loading.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>
    /// Gives back the memory of tensors that are gone. Between steps of a work that take large tensors of many sizes, it keeps the process
    /// from growing with each: what is free lies in pieces then. It takes milliseconds.
    /// </summary>
    public static void ReleaseFree()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = TrimMemory(0);
        }
        catch (Exception problem) when (problem is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library than glibc: more memory, not wrong.
        }
    }

    /// <summary>
    /// Gives back, once, the pages of libtorch's code that it ran to register its operators and will not run again: 40 MB. They are
    /// unchanged pages of a file, so whatever is needed after all is mapped again when it is touched.
    /// </summary>
    public static void ReleaseStartup()
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 0) ReleaseCode();
    }

    internal static void ReleaseCode()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            foreach (var (start, length, _) in CodeRegions()) _ = AdviseMemory(start, length, DontNeed);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or EntryPointNotFoundException)
        {
            // Without /proc, or with another C library: more memory, not wrong.
        }
    }

    /// <summary>
    /// Where libtorch's code lies and how many bytes of it are in memory; only regions of which no page was written (a debugger's
    /// breakpoint is): giving one back would undo that.
    /// </summary>
    internal static IReadOnlyList<(nint Start, nuint Length, long ResidentBytes)> CodeRegions()
    {
        var regions = new List<(nint, nuint, long)>();
        (nint Start, nuint Length)? region = null;
        var resident = 0L;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!words[0].EndsWith(':'))
            {
                // 7f0a00000000-7f0a10000000 r-xp 00000000 08:01 123 /path/libtorch_cpu.so
                var (start, end) = (words[0][..words[0].IndexOf('-')], words[0][(words[0].IndexOf('-') + 1)..]);
                region = words is [_, "r-xp", .., var path] && path.EndsWith($"/{Library}", StringComparison.Ordinal)
                    ? ((nint)Convert.ToInt64(start, 16), (nuint)(Convert.ToInt64(end, 16) - Convert.ToInt64(start, 16)))
                    : null;
            }
            else if (words[0] == "Rss:")
            {
                resident = long.Parse(words[1]) * 1024;
            }
            else if (words is ["Anonymous:", "0", ..] && region is var (begin, length))
            {
                regions.Add((begin, length, resident));
            }
        }
        return regions;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int AdviseMemory(nint start, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimMemory(nuint pad);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetMallocOption(int option, int value);
}
