using Graft.Backbones;
using Graft.Networks;
using Graft.Training;

namespace Graft.Samples;

internal static class Surgery
{
    /// <summary>Load a network, list its layers, cut at one by name, graft a new head, freeze up to a layer.</summary>
    public static void Run(TextWriter output)
    {
        using var backbone = Backbone.Load("graft_mobilenet_v2_050");
        foreach (var layer in LayerTable.Of(backbone.Network).Rows)
            output.WriteLine($"{layer.Index,3}  {layer.Name,-22} {layer.Kind,-18} {layer.OutputShape,-12} {layer.Parameters,9:N0}");

        var model = backbone.CutBefore("classifier").Graft(Head.Dense(1024, dropout: 0.5), ["daisy", "rose", "tulip"]);
        var plan = model.Freeze().UnfreezeFrom("features.17");
        output.WriteLine(plan);
    }
}
