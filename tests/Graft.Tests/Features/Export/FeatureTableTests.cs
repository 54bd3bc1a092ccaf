using System.Text;
using System.Text.Json;
using Graft.Checkpoints;
using Graft.Data;
using Graft.Features;
using Graft.Features.Export;
using Graft.Testing;
using Parquet;
using Parquet.Schema;

namespace Graft.Tests.Features.Export;

public class FeatureTableTests
{
    private static FeatureTable Table(params int[] shape)
    {
        var length = shape.Aggregate(1, (product, size) => product * size);
        return new()
        {
            Rows = [.. Enumerable.Range(0, 3).Select(row => Enumerable.Range(0, length).Select(i => row + i / 8f).ToArray())],
            Shape = shape,
            Paths = ["a/1.jpg", "Blüte 🌼/2.jpg", ""],
            Labels = [0, 1, 1],
            Classes = ["a", "Blüte 🌼"],
            Splits = [FeatureTable.Train, FeatureTable.Validation, FeatureTable.Test],
            Metadata = new Dictionary<string, string> { ["source"] = "\"here\"" },
        };
    }

    [Theory]
    [InlineData(6)]
    [InlineData(2, 3, 5)]
    public void Numpy_archive_holds_everything_without_pickle(params int[] shape)
    {
        using var folder = new TemporaryFolder();
        var (table, file) = (Table(shape), folder.File("t.npz"));

        table.Write(file);

        var features = NumpyFile.Load<float>(file, "features");
        Assert.Equal([3, .. shape], features.Shape);
        Assert.Equal(table.Rows.SelectMany(row => row), features.Values);
        Assert.Equal([0, 1, 1], NumpyFile.Load<long>(file, "labels").Values);
        Assert.Equal(table.Paths, Texts(file, "paths"));
        Assert.Equal(table.Splits, Texts(file, "splits"));
        Assert.Equal(["a", "Blüte 🌼", "Blüte 🌼"], Texts(file, "label_names"));
        Assert.Equal(table.Classes, Texts(file, "classes"));
        Assert.Equal("here", JsonDocument.Parse(Assert.Single(Texts(file, "metadata"))).RootElement.GetProperty("source").GetString());
    }

    [Fact]
    public void Every_array_of_a_numpy_archive_starts_at_a_multiple_of_64()
    {
        using var folder = new TemporaryFolder();
        Table(6).Write(folder.File("t.npz"));

        using var archive = System.IO.Compression.ZipFile.OpenRead(folder.File("t.npz"));
        Assert.All(archive.Entries, entry =>
        {
            using var stream = entry.Open();
            var start = new byte[10];
            stream.ReadExactly(start);
            Assert.Equal(0, (10 + BitConverter.ToUInt16(start, 8)) % 64);
        });
    }

    [Fact]
    public void Safetensors_file_holds_features_labels_and_names()
    {
        using var folder = new TemporaryFolder();
        var (table, file) = (Table(2, 3, 5), folder.File("t.safetensors"));

        table.Write(file);

        using var checkpoint = Checkpoint.Open(file);
        Assert.Equal([3L, 2, 3, 5], checkpoint.Tensors.Single(tensor => tensor.Name == "features").Shape);
        var (features, labels) = (new float[90], new float[3]);
        checkpoint.Read("features", features);
        checkpoint.Read("labels", labels);
        Assert.Equal(table.Rows.SelectMany(row => row), features);
        Assert.Equal([0, 1, 1], labels);
        Assert.Equal(TensorType.Int64, checkpoint.Tensors.Single(tensor => tensor.Name == "labels").Type);
        Assert.Equal(table.Paths, JsonSerializer.Deserialize<string[]>(checkpoint.Metadata["paths"]));
        Assert.Equal(table.Splits, JsonSerializer.Deserialize<string[]>(checkpoint.Metadata["splits"]));
        Assert.Equal(table.Classes, JsonSerializer.Deserialize<string[]>(checkpoint.Metadata["classes"]));
    }

    [Fact]
    public async Task Parquet_table_holds_a_row_for_each_image()
    {
        using var folder = new TemporaryFolder();
        var (table, file) = (Table(6), folder.File("t.parquet"));

        table.Write(file);

        await using var reader = await ParquetReader.CreateAsync(file, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal("[6]", reader.CustomMetadata["shape"]);
        using var group = reader.OpenRowGroupReader(0);
        Assert.Equal(3, group.RowCount);
        Assert.Equal(["path", "label", "label_name", "split", "features"], reader.Schema.Fields.Select(field => field.Name));
        var list = Assert.IsType<ListField>(reader.Schema.Fields[4]);
        var (values, definitions, levels) = (new float[18], new int[18], new int[18]);
        await group.ReadRawAsync<float>((DataField)list.Item, values, definitions, levels, TestContext.Current.CancellationToken);
        Assert.Equal(table.Rows.SelectMany(row => row), values);
        Assert.Equal([0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1], levels);
        var paths = new string[3];
        await group.ReadAsync(reader.Schema.DataFields[0], paths, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(table.Paths, paths);
    }

    [Theory]
    [InlineData("t.npy", "Expected a file that ends in .npz, .parquet or .safetensors")]
    [InlineData("absent/t.npz", "Create it first")]
    [InlineData("there.npz", "exists already")]
    public void File_that_will_not_do_is_refused_before_any_work(string name, string words)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("there.npz"), "mine");
        var path = Path.Combine(folder.FullName, name);

        Assert.Contains(words, FeatureTable.ProblemWith(path)!, StringComparison.Ordinal);
        Assert.Throws<GraftException>(() => Table(6).Write(path));

        Assert.Equal("mine", File.ReadAllText(folder.File("there.npz")));
        Assert.Single(Directory.GetFileSystemEntries(folder.FullName));
    }

    [Fact]
    public void Table_of_an_extraction_knows_split_and_relative_path_of_each_image_and_leaves_out_broken_ones()
    {
        using var folder = new TemporaryFolder();
        foreach (var part in (string[])["train", "val", "test"])
        {
            foreach (var name in (string[])["a", "b"])
                foreach (var number in (string[])["1", "2"])
                    File.WriteAllBytes(folder.File($"{part}/{name}/{number}.png"), Imaging.TestImages.Encode(
                        Imaging.TestImages.Noise(9, 9, seed: part.Length + number[0] + name[0]), SkiaSharp.SKEncodedImageFormat.Png));
        }
        File.WriteAllText(folder.File("train/a/2.png"), "broken");
        var photos = LabeledImages.FromFolder(folder.FullName);
        using var features = new FeatureBlocks(FeatureScene.Backbone());

        var table = FeatureTable.Of(photos, features.Extract([.. photos.All], cache: null, cancellation: TestContext.Current.CancellationToken), features);

        Assert.Equal(
            ["train/a/1.png", "train/b/1.png", "train/b/2.png", "val/a/1.png", "val/a/2.png", "val/b/1.png", "val/b/2.png",
                "test/a/1.png", "test/a/2.png", "test/b/1.png", "test/b/2.png"],
            table.Paths);
        Assert.Equal(table.Paths.Select(path => path.Split('/')[0] == "val" ? "validation" : path.Split('/')[0]), table.Splits);
        Assert.Equal(table.Paths.Select(path => path.Split('/')[1] == "a" ? 0 : 1), table.Labels);
        Assert.Equal([6], table.Shape);
        var block = Assert.Single(JsonDocument.Parse(table.Metadata["blocks"]).RootElement.EnumerateArray());
        Assert.Equal("relu, averaged", block.GetProperty("layer").GetString());
        Assert.Equal(8, block.GetProperty("preprocessing").GetProperty("input_width").GetInt32());
    }

    private static string[] Texts(string file, string name)
    {
        using var archive = System.IO.Compression.ZipFile.OpenRead(file);
        using var stream = archive.GetEntry($"{name}.npy")!.Open();
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        var bytes = memory.ToArray();
        var start = 10 + BitConverter.ToUInt16(bytes, 8);
        var header = Encoding.ASCII.GetString(bytes, 10, start - 10);
        var width = 4 * int.Parse(
            header.Split("'<U")[1].Split('\'')[0], System.Globalization.CultureInfo.InvariantCulture);
        return [.. bytes[start..].Chunk(width).Select(cell => Encoding.UTF32.GetString(cell).TrimEnd('\0'))];
    }
}
