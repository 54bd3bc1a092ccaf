using System.Diagnostics;
using System.Text.RegularExpressions;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Data;
using Graft.Imaging;
using Graft.Networks.Onnx;
using Graft.Testing;

namespace Graft.Tests;

/// <summary>A pipe or a device in the place of a file is refused and never waited for.</summary>
public sealed partial class RegularFileTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    /// <summary>Files that open others than a user names: Graft's own below GRAFT_HOME, the system's, and lists that were checked before.</summary>
    private static readonly string[] Exempt =
        ["RegularFile.cs", "LibtorchTuning.cs", "Slot.cs", "PartialFile.cs", "FeatureCacheRepair.cs", "Quarantine.cs", "AppliedLabels.cs", "FileLock.cs", "WholeFile.cs"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_are_opened_as_regular_files_everywhere()
    {
        var violations = new List<string>();
        foreach (var project in (string[])["Graft", "Graft.Cli"])
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Sources(), project), "*.cs", SearchOption.AllDirectories))
            {
                if (file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)) continue;
                var lines = File.ReadAllLines(file);
                for (var i = 0; i < lines.Length; i++)
                {
                    var isOpening = Opening().IsMatch(lines[i]) && !Exempt.Contains(Path.GetFileName(file)) && !lines[i].Contains("resource", StringComparison.OrdinalIgnoreCase);
                    var isUnchecked = lines[i].Contains("CsvReader.FromFile(", StringComparison.Ordinal)
                        && (i == 0 || !lines[i - 1].Contains("RegularFile.Check(", StringComparison.Ordinal));
                    if (isOpening || isUnchecked) violations.Add($"{Path.GetFileName(file)}({i + 1}): {lines[i].Trim()}");
                }
            }
        }

        Assert.Empty(violations);
    }

    [Fact]
    public async Task A_pipe_is_refused_in_every_place_of_a_file()
    {
        var pipe = Pipe("weights.h5");
        Action[] readers =
        [
            () => Checkpoint.Open(pipe),
            () => Backbone.Load("squeezenet1_1", pipe),
            () => OnnxFile.Read(pipe),
            () => ImageDecoder.Decode(pipe),
            () => LabeledImages.Load(Pipe("table.csv")),
            () => WeightStore.Identify(pipe, []),
            () => Graft.Classifiers.ImageClassifier.Open(pipe),
            () => Checkpoint.Open(Link(pipe)),
            () => Checkpoint.Open("/dev/zero"),
        ];
        foreach (var read in readers)
        {
            var work = Task.Run(() => Record.Exception(read), TestContext.Current.CancellationToken);
            Assert.Same(work, await Task.WhenAny(work, Task.Delay(Soon, TestContext.Current.CancellationToken)));
            Assert.True(await work is GraftException or UnreadableImageException, $"{await work}");
        }
    }

    private string Pipe(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps no pipes in folders.");
        var path = _folder.File(name);
        using var process = Process.Start("mkfifo", [path])!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return path;
    }

    private string Link(string target)
    {
        var path = _folder.File("link.h5");
        File.CreateSymbolicLink(path, target);
        return path;
    }

    private static string Sources()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return Path.Combine(folder.FullName, "src");
        Assert.Skip("The sources are not here.");
        return "";
    }

    [GeneratedRegex(@"(?<!Regular)\bFile\.(Open\w*|Read\w+|Copy|Append\w+)\(|FileMode\.(Open|Append|OpenOrCreate)\b|new StreamReader\((?!Resource)")]
    private static partial Regex Opening();
}
