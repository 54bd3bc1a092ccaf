using System.Diagnostics;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Tests.Networks;

public class LibtorchLoaderTests
{
    [Fact]
    public void Libtorch_loads_and_computes()
    {
        using var sum = tensor([1f, 2f]).sum();

        Assert.Equal(3, sum.item<float>());
    }

    [Fact]
    public void Required_version_of_a_real_library_becomes_weak_and_nothing_else_changes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ELF libraries are Linux's");
        var path = Process.GetCurrentProcess().Modules.Cast<ProcessModule>()
            .Select(module => module.FileName).First(name => name.EndsWith("libcoreclr.so", StringComparison.Ordinal));
        var library = File.ReadAllBytes(path);

        var patched = LibtorchLoader.WithWeakVersion(library, "GLIBC_2.2.5");

        Assert.NotNull(patched);
        var changed = Enumerable.Range(0, library.Length).Where(i => library[i] != patched[i]).ToList();
        Assert.Equal(2, library[Assert.Single(changed)] ^ patched[changed[0]]);
    }

    [Fact]
    public void Version_that_messages_tell_to_add_is_the_one_that_is_built_with()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) folder = folder.Parent;
        Assert.SkipWhen(folder is null, "the sources are not here");

        Assert.Contains($"<LibtorchVersion>{LibtorchLoader.Version}<", File.ReadAllText(Path.Combine(folder!.FullName, "Directory.Packages.props")), StringComparison.Ordinal);
        Assert.Contains($"--version {LibtorchLoader.Version}.", File.ReadAllText(Path.Combine(folder.FullName, "src/Graft/Graft.targets")), StringComparison.Ordinal);
    }

    [Fact]
    public void Library_without_the_version_is_left_alone() =>
        Assert.Null(LibtorchLoader.WithWeakVersion(new byte[200], "GLIBCXX_3.4.32"));
}
