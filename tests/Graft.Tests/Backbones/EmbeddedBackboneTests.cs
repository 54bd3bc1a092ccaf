using Graft.Backbones;
using Graft.Networks;
using Graft.Testing;

namespace Graft.Tests.Backbones;

/// <summary>GRAFT_HOME belongs to the whole process.</summary>
[Collection(nameof(AloneWithTorch))]
public sealed class EmbeddedBackboneTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string? _home = Environment.GetEnvironmentVariable("GRAFT_HOME");

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("GRAFT_HOME", _home);
        _folder.Dispose();
    }

    private Backbone Load(string home)
    {
        Environment.SetEnvironmentVariable("GRAFT_HOME", Path.Combine(_folder.FullName, home));
        return Backbone.Load(EmbeddedBackbone.Name);
    }

    [Fact]
    public void Network_is_the_published_one()
    {
        using var backbone = Load("home");

        Assert.Equal(946_442, LayerTable.Of(backbone.Network).Parameters);
        Assert.Equal(946_442, BackboneCatalog.Find(EmbeddedBackbone.Name).PublishedParameters);
        Assert.Equal(TensorShape.Map(3, 128, 128), backbone.Network.InputShape);
        Assert.Equal(202, backbone.Classes!.Count);
        Assert.Equal((128, 128), (backbone.Preprocessing.InputWidth, backbone.Preprocessing.InputHeight));
    }

    [Fact]
    public void Features_are_1280_numbers()
    {
        using var backbone = Load("home");

        Assert.Equal(TensorShape.Vector(1280), backbone.Features().Network.OutputShape);
    }

    [Fact]
    public void Weights_are_numbers_that_were_trained()
    {
        using var backbone = Load("home");

        Assert.All(backbone.Network.Parameters, parameter =>
        {
            var values = new float[parameter.ElementCount];
            backbone.Weights.Read(parameter, values);
            Assert.All(values, value => Assert.True(float.IsFinite(value)));
            Assert.True(values.Distinct().Skip(1).Any(), parameter.Key);
        });
    }

    [Fact]
    public void File_is_written_once_and_used_again()
    {
        using (Load("home"))
        {
        }
        var file = Assert.Single(Directory.GetFiles(Path.Combine(_folder.FullName, "home", "weights")));
        var longAgo = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(file, longAgo);

        using (Load("home"))
        {
        }

        Assert.Equal(file, Assert.Single(Directory.GetFiles(Path.GetDirectoryName(file)!)));
        Assert.Equal(longAgo, File.GetLastWriteTimeUtc(file));
    }

    [Fact]
    public void Damaged_file_is_written_anew()
    {
        using (Load("home"))
        {
        }
        var file = Assert.Single(Directory.GetFiles(Path.Combine(_folder.FullName, "home", "weights")));
        var length = new FileInfo(file).Length;
        File.WriteAllText(file, "half a file");

        using var backbone = Load("home");

        Assert.Equal(length, new FileInfo(file).Length);
    }

    [Fact]
    public void Backbone_loads_where_Grafts_own_folder_cannot_be()
    {
        File.WriteAllText(_folder.File("a file"), "");

        using var backbone = Load("a file");

        Assert.Equal(202, backbone.Classes!.Count);
    }
}
