using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Text;

namespace Graft.Networks;

/// <summary>
/// Lets libtorch load on Debian 12, Ubuntu 22.04 and their like. TorchSharp's native shim was linked against GCC 13 and asks
/// for the symbol version GLIBCXX_3.4.32, which their libstdc++ lacks, although nothing that the shim calls needs it.
/// When the ordinary load fails, a private copy of the shim that marks this version as weak is loaded instead.
/// Nothing is loaded before TorchSharp is first used, and no file of the user's is touched.
/// </summary>
internal static class LibtorchLoader
{
    private const string Shim = "LibTorchSharp";
    private const string MissingVersion = "GLIBCXX_3.4.32";

    /// <summary>Of the packages of libtorch that TorchSharp's version takes; <c>Graft.targets</c> says it too.</summary>
    internal const string Version = "2.10.0";

    private static readonly string[] Libtorch = ["libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll"];

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "Must be in place before any use of TorchSharp, ours or the caller's.")]
    internal static void Register()
    {
        if (OperatingSystem.IsLinux()) AssemblyLoadContext.Default.ResolvingUnmanagedDll += Resolve;
    }

    /// <summary>Says what to do where a program references the library and no libtorch.</summary>
    /// <exception cref="GraftException">libtorch is not there, or does not load; the message names the line that adds it.</exception>
    public static void Require()
    {
        // Most often it lies where it should; loading it takes some tenths of a second, and is left to its first use.
        if (SearchFolders().Any(folder => Libtorch.Any(name => File.Exists(Path.Combine(folder, name))))) return;
        try
        {
            _ = TorchSharp.torch.get_num_threads();
        }
        catch (Exception problem) when (problem is NotSupportedException or TypeInitializationException or DllNotFoundException or BadImageFormatException)
        {
            throw new GraftException("Graft trains with libtorch, which this program does not have.", problem)
            {
                Code = "libtorch-missing",
                Remedy = $"Add it: dotnet add package libtorch-cpu-{Platform} --version {Version}",
            };
        }
    }

    private static string Platform => OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";

    private static IEnumerable<string> SearchFolders() =>
        (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Append(AppContext.BaseDirectory);

    private static nint Resolve(Assembly assembly, string name)
    {
        if (!name.Contains(Shim, StringComparison.Ordinal) || FindShim() is not { } shim) return 0;
        var patched = WithWeakVersion(RegularFile.ReadAllBytes(shim), MissingVersion);
        if (patched is null) return 0;
        var folder = Path.GetDirectoryName(shim)!;
        foreach (var library in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so"])
            NativeLibrary.Load(Path.Combine(folder, library));
        return NativeLibrary.Load(PrivateFile.WithContent("native", $"lib{Shim}-weak.so", patched));
    }

    private static string? FindShim() => SearchFolders()
        .Select(folder => Path.Combine(folder, $"lib{Shim}.so"))
        .FirstOrDefault(File.Exists);

    /// <summary>
    /// An ELF library with the given symbol version marked VER_FLG_WEAK in its version requirements (.gnu.version_r), so that the
    /// dynamic linker accepts a system without it; null if the library does not require it.
    /// </summary>
    internal static byte[]? WithWeakVersion(byte[] elf, string version)
    {
        const uint versionRequirements = 0x6ffffffe; // SHT_GNU_verneed
        const ushort weak = 2; // VER_FLG_WEAK
        if (elf.Length < 64 || !elf.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8)) return null;
        var sectionTable = (int)U64(0x28);
        var sectionSize = U16(0x3a);
        for (var section = sectionTable; section < sectionTable + sectionSize * U16(0x3c); section += sectionSize)
        {
            if (U32(section + 4) != versionRequirements) continue;
            var names = (int)U64(sectionTable + (int)U32(section + 0x28) * sectionSize + 0x18);
            var library = (int)U64(section + 0x18);
            for (var more = U32(section + 0x2c); more > 0; more--, library += (int)U32(library + 12))
            {
                var entry = library + (int)U32(library + 8);
                for (var count = U16(library + 2); count > 0; count--, entry += (int)U32(entry + 12))
                {
                    if (NameAt(names + (int)U32(entry + 8)) != version) continue;
                    var patched = (byte[])elf.Clone();
                    BinaryPrimitives.WriteUInt16LittleEndian(patched.AsSpan(entry + 4), (ushort)(U16(entry + 4) | weak));
                    return patched;
                }
            }
        }
        return null;

        ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(elf.AsSpan(offset));
        uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(elf.AsSpan(offset));
        ulong U64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(elf.AsSpan(offset));
        string NameAt(int offset) => Encoding.ASCII.GetString(elf, offset, Array.IndexOf(elf, (byte)0, offset) - offset);
    }
}
