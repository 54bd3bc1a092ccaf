using System.CommandLine;
using Graft.Data;
using Graft.Data.Remote;

namespace Graft.Cli.Verbs;

/// <summary>The argument that names labeled photos, and the options that say how to read a table of them.</summary>
internal sealed class LabeledPhotos
{
    private const string Layouts = "Labeled photos: a folder per class; train/, val/ and test/ folders of such; names such as cat.0.jpg; a CSV of path,label; or a zip, tar shards or Parquet files of such; also s3://bucket/prefix and https:// lists";

    private readonly Option<string?> _path = new("--path-column") { Description = "Table: the column that names the image", HelpName = "NAME" };

    private readonly Option<string?> _label = new("--label-column") { Description = "Table, Parquet or .json of a shard: the column that names the class", HelpName = "NAME" };

    private readonly Option<string?> _split = new("--split-column") { Description = "Table: the column that says train, val or test", HelpName = "NAME" };

    private readonly Option<string?> _folder = new("--image-folder") { Description = "Table: the folder that its paths start from (default: the table's)", HelpName = "DIR" };

    private readonly Option<string?> _suffix = new("--image-suffix") { Description = "Table: what its paths lack at the end, such as .jpg", HelpName = "TEXT" };

    private Option<string?>[] Options => [_path, _label, _split, _folder, _suffix];

    public static Argument<string> Argument() => new("DIR") { Description = Layouts };

    public void AddTo(Command command)
    {
        foreach (var option in Options) command.Add(option);
    }

    /// <exception cref="UsageException">There is nothing of that name.</exception>
    public static string Existing(string source) =>
        LabeledImages.IsThere(source) ? RemotePlace.Of(source) : throw new UsageException($"There is no folder or file {source}.");

    /// <summary>Reads the photos, with the options for tables that were given.</summary>
    /// <exception cref="UsageException">An option for tables was given, and the source is a folder or a collection.</exception>
    public LabeledImages Load(string source, LabeledImagesOptions options, ParseResult parsed)
    {
        var isFolder = Directory.Exists(source);
        if (!LabeledImages.IsTable(source)
            && Options.FirstOrDefault(option => parsed.GetValue(option) is not null && (isFolder || option != _label)) is { } stray)
            throw new UsageException($"Expected a table with {stray.Name}, found {(isFolder ? "the folder " : "")}{source}.");
        if (parsed.GetValue(_folder) is { } folder && !RemotePlace.Is(folder) && !Directory.Exists(folder)) throw new UsageException($"There is no folder {folder}.");
        return LabeledImages.Load(source, options with
        {
            PathColumn = parsed.GetValue(_path),
            LabelColumn = parsed.GetValue(_label),
            SplitColumn = parsed.GetValue(_split),
            ImageFolder = parsed.GetValue(_folder),
            ImageSuffix = parsed.GetValue(_suffix),
        });
    }
}
