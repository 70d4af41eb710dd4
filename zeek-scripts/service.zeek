##! Stand-in until catalog/services.zeek is there.
@load ./main
module ReconWatch;
export {
	type Service: record {
		name: string;
		technique: string;
		strong: bool &default=F;
		ordinary: bool &default=F;
		asked_in_dns: bool &default=F;
		ct: string &default="";
	};
	option services: table[string] of Service = {};
}
