using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Graft.Checkpoints;
using Graft.Imaging;

namespace Graft.Tests;

/// <summary>Arrows between the folders of Graft run one way; see DESIGN.md, "Layout and direction".</summary>
public partial class ArchitectureTests
{
    private const string ProbeVariable = "GRAFT_TEST_PROBE_CHECKPOINT";
    private const int NothingOfTorch = 77;

    /// <summary>Left to right; a folder names no type of a folder to its right.</summary>
    private static readonly string[] Order =
        ["Data", "Networks", "Checkpoints", "Backbones", "Features", "Training", "Classifiers", "Evaluation", "Export", "Runs"];

    [Fact]
    public void Folders_name_nothing_to_their_right()
    {
        var sources = Sources();
        var violations = new List<string>();
        foreach (var (folder, left) in Order.Select((folder, index) => (folder, index)))
        {
            var right = Order.Skip(left + 1).ToHashSet(StringComparer.Ordinal);
            foreach (var file in Directory.EnumerateFiles(Path.Combine(sources, folder), "*.cs", SearchOption.AllDirectories))
            {
                violations.AddRange(FolderNamed().Matches(Code(file))
                    .Select(match => match.Groups["folder"].Value).Where(right.Contains).Distinct()
                    .Select(named => $"{folder}/{Path.GetFileName(file)} names {named}"));
            }
        }

        Assert.Empty(violations);
    }

    [Fact]
    public void Every_folder_has_its_place_in_the_order() =>
        Assert.Equal(
            Order.Order(StringComparer.Ordinal),
            Directory.EnumerateDirectories(Sources()).Select(folder => Path.GetFileName(folder))
                .Where(name => name is not ("bin" or "obj")).Order(StringComparer.Ordinal));

    [Fact]
    public void Namespaces_are_folders()
    {
        var sources = Sources();

        Assert.All(Order.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(sources, folder), "*.cs")), file =>
            Assert.Contains($"namespace Graft.{Path.GetFileName(Path.GetDirectoryName(file))};", File.ReadAllText(file), StringComparison.Ordinal));
    }

    [Fact]
    public void Imaging_knows_neither_torch_nor_Graft()
    {
        var referenced = typeof(ImageDecoder).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name);

        Assert.DoesNotContain(referenced, name => name is "TorchSharp" or "Graft");
    }

    [Fact]
    public async Task Header_of_a_checkpoint_is_read_without_libtorch()
    {
        using var folder = new Graft.Testing.TemporaryFolder();
        var path = folder.File("weights.safetensors");
        SafetensorsWriter.Write(path, [new("a", TensorType.Float32, [2], new float[] { 1, 2 })]);
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        start.Environment[ProbeVariable] = path;

        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(NothingOfTorch, process.ExitCode);
    }

    /// <summary>This program, started again: other tests load libtorch into the first process.</summary>
    [ModuleInitializer]
    internal static void ReadHeaderIfAsked()
    {
        if (Environment.GetEnvironmentVariable(ProbeVariable) is not { } path) return;
        using (var checkpoint = Checkpoint.Open(path)) checkpoint.Read("a", new float[2]);
        var loaded = Process.GetCurrentProcess().Modules.Cast<ProcessModule>()
            .Any(module => module.ModuleName.Contains("torch", StringComparison.OrdinalIgnoreCase));
        Environment.Exit(loaded ? 1 : NothingOfTorch);
    }

    private static string Sources()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return Path.Combine(folder.FullName, "src", "Graft");
        Assert.Skip("The sources are not here.");
        return "";
    }

    /// <summary>A file without its comments and the text in quotes.</summary>
    private static string Code(string file) => CommentOrText().Replace(File.ReadAllText(file), "");

    [GeneratedRegex(@"//[^\n]*|""[^""\n]*""")]
    private static partial Regex CommentOrText();

    /// <summary>A using directive, or a name qualified by its namespace: not a member of an object.</summary>
    [GeneratedRegex(@"\bGraft\.(?<folder>[A-Z]\w*)|(?<![\w.)\]?!])(?<folder>[A-Z]\w*)\.[A-Z]")]
    private static partial Regex FolderNamed();
}
