using System.Text.RegularExpressions;

namespace Graft.Tests;

/// <summary>
/// What is written under names from data goes through <see cref="OutputFolder"/>, a file through <see cref="WholeFile"/>, a table through
/// <see cref="CsvFile"/>: whoever writes otherwise is listed here with the reason.
/// </summary>
public partial class WritingTests
{
    /// <summary>By file, below src/.</summary>
    private static readonly Dictionary<string, string> WritesItself = new(StringComparer.Ordinal)
    {
        ["Graft/WholeFile.cs"] = "the one way to write a file",
        ["Graft/FileLock.cs"] = "an empty file",
        ["Graft/PrivateFile.cs"] = "drafts in Graft's own folder, under names from hashes",
        ["Graft/RegularFile.cs"] = "copies for SplitWriter",
        ["Graft/Export/ExportFiles.cs"] = "several files together: into a draft folder, then moved one by one, or none",
        ["Graft/Data/SplitWriter.cs"] = "into a folder that is a draft as a whole, through OutputFolder",
        ["Graft/Data/ClassFolders.cs"] = "symbolic links to photos, through OutputFolder",
        ["Graft/Labeling/AppliedLabels.cs"] = "appends to its list, and takes back what it lists, through OutputFolder",
        ["Graft/Data/Quarantine.cs"] = "moves photos and appends to its list, through OutputFolder",
        ["Graft/Checkpoints/SafetensorsWriter.cs"] = "its own draft, preallocated",
        ["Graft/Checkpoints/Store/Slot.cs"] = "records beside downloads, under checked names",
        ["Graft/Checkpoints/Store/PartialFile.cs"] = "a download that outlives a crash",
        ["Graft/Checkpoints/Store/WeightStore.cs"] = "an import, hashed as it is copied",
        ["Graft/Features/FeatureCacheRepair.cs"] = "the cache's own files",
        ["Graft/Features/Export/FeatureTable.cs"] = "its own draft, for writers that take a path",
        ["Graft/Features/Export/NumpyArchive.cs"] = "into FeatureTable's draft",
        ["Graft/Features/Export/ParquetTable.cs"] = "into FeatureTable's draft",
        ["Graft.Studio/FolderMoves.cs"] = "moves photos as its list says, through OutputFolder",
        ["Graft.Studio/Journal.cs"] = "adds lines to its own file",
        ["Graft/Runs/RunFolder.cs"] = "fixed names in a folder of its own",
        ["Graft/Runs/TensorBoardLog.cs"] = "a log that grows, in a folder of its own",
    };

    [Fact]
    public void Files_are_written_in_one_way()
    {
        var root = Sources();
        var unlisted = Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Path: path, Name: Path.GetRelativePath(root, path).Replace('\\', '/')))
            .Where(file => !file.Name.Contains("/obj/", StringComparison.Ordinal) && !file.Name.Contains("/bin/", StringComparison.Ordinal))
            .Where(file => !WritesItself.ContainsKey(file.Name))
            .SelectMany(file => Writing().Matches(Comment().Replace(File.ReadAllText(file.Path), "")).Select(call => $"{file.Name}: {call.Value}"))
            .ToList();

        Assert.Empty(unlisted);
    }

    [Fact]
    public void Names_from_data_go_through_one_door()
    {
        var root = Sources();

        // ExplainOption writes under the names of photos, the others under those of classes, lists and tables.
        foreach (var file in new[] { "Graft/Data/ClassFolders.cs", "Graft/Data/SplitWriter.cs", "Graft/Data/Quarantine.cs", "Graft/Labeling/AppliedLabels.cs", "Graft.Studio/FolderMoves.cs", "Graft.Cli/Verbs/ExplainOption.cs" })
            Assert.Contains(".PathOf(", File.ReadAllText(Path.Combine(root, file)), StringComparison.Ordinal);
    }

    private static string Sources()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return Path.Combine(folder.FullName, "src");
        Assert.Skip("The sources are not here.");
        return "";
    }

    [GeneratedRegex(@"\bFile\.(?:WriteAll\w+|Append\w+|Create\w*|Copy|Move|OpenWrite|Replace)\(|\bDirectory\.(?:Move|CreateSymbolicLink)\(|new (?:StreamWriter|FileStream)\((?![^\n]*FileMode\.Open,)|MemoryMappedFile\.Create\w+\(|\bToFile\(")]
    private static partial Regex Writing();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comment();
}
